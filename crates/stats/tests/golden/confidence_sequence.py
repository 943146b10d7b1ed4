from scipy import integrate, stats, special
import numpy as np
def ranks(n,p,level,m):
    L=np.log(2/(1-level)); w=max(1,m/(2*L+np.log1p(2*L))); a,b=w*p,w*(1-p)
    def lr(s,lo,hi):
        # direct numerical integral over the cut mixing law
        mode=np.clip((a+s-1)/(a+b+n-2),lo+1e-12,hi-1e-12)
        f=lambda t: (stats.beta.logpdf(t,a,b)+s*np.log(t/p)+(n-s)*np.log((1-t)/(1-p)))
        top=f(mode)
        sd=np.sqrt(p*(1-p)/(n+w))
        pts=[x for x in (mode-8*sd,mode-sd,mode,mode+sd,mode+8*sd) if lo<x<hi]
        z=integrate.quad(lambda t: np.exp(f(t)-top),lo,hi,points=pts,limit=500)[0]
        norm=stats.beta.cdf(p,a,b) if lo==0 else stats.beta.sf(p,a,b)
        return top+np.log(z)-np.log(norm)
    c=int(n*p)
    least=next((s for s in range(c+1) if lr(s,0,p)<L))
    past=next((s for s in range(c,n+1) if lr(s,p,1)>=L),None)
    most=n if past is None else max(past-1,c)
    return (least if least>=1 else None, most+1 if most<n else None)
for n,p,l,m in ((10,.5,.95,100),(100,.5,.95,100),(1000,.9,.95,1000),(500,.99,.95,10000),(2000,.99,.95,10000),(3000,.99,.9,1000),(5000,.05,.99,3000)):
    r=ranks(n,p,l,m)
    o=lambda v:'None' if v is None else f'Some({v})'
    print(f'    ({n}, {p}, {l}, {m}, {o(r[0])}, {o(r[1])}),')
